//! npm packages of a folder, exactly as its lock file names them.

use anyhow::Result;

use crate::command::{command, root, run};

/// Installs what `folder/package-lock.json` names into `folder/node_modules`, unless it is there already.
///
/// Install scripts are not run: none of the packages needs one.
pub fn install(folder: &str) -> Result<()> {
    let folder = root().join(folder);
    let wanted = fs_err::read_to_string(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs_err::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    run(command("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder))?;
    fs_err::write(stamp, wanted)?;
    Ok(())
}
