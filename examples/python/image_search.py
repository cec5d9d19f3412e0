"""Image search with the vendor's Python SDK: the guide's flow as one small program.

    python image_search.py load                 upload the example photos, each with its caption
    python image_search.py archive PHOTOS.zip   upload up to 100 photos at once
    python image_search.py text "dog"           search by text
    python image_search.py image PHOTO.jpg      search by picture

Everything but the four lines marked below is what a program for the cloud does.
"""

import argparse
import csv
import os
import time
from pathlib import Path

from alibabacloud_gpdb20160503 import models
from alibabacloud_gpdb20160503.client import Client
from alibabacloud_tea_openapi import models as open_api_models
from alibabacloud_tea_util import models as util_models

PHOTOS = Path(__file__).parent.parent / "photos"
ENDPOINT = os.environ.get("LOOKALIKE_ENDPOINT", "127.0.0.1:8443")

INSTANCE = {"region_id": "cn-hangzhou", "dbinstance_id": "gp-example"}
MANAGER = {"manager_account": "manager", "manager_account_password": "Manager_1"}
NAMESPACE = {"namespace": "examples", "namespace_password": "Namespace_1"}
COLLECTION = {**INSTANCE, **NAMESPACE, "collection": "photos"}


def create_client() -> Client:
    config = open_api_models.Config(
        access_key_id=os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID", "lookalike"),  # for Lookalike: a key that it knows
        access_key_secret=os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "lookalike"),
        region_id="cn-hangzhou",
        endpoint=ENDPOINT,  # for Lookalike: where it listens
        protocol="http",  # for Lookalike: HTTPS works too, once its CA is trusted
    )
    client = Client(config)
    client._open_platform_endpoint = ENDPOINT  # for Lookalike: where local files are uploaded
    return client


def prepare(client: Client, runtime: util_models.RuntimeOptions) -> None:
    """Database, namespace and collection; all three calls may be repeated."""
    client.init_vector_database_with_options(models.InitVectorDatabaseRequest(**INSTANCE, **MANAGER), runtime)
    client.create_namespace_with_options(models.CreateNamespaceRequest(**INSTANCE, **MANAGER, **NAMESPACE), runtime)
    request = models.CreateDocumentCollectionRequest(
        **INSTANCE,
        **MANAGER,
        namespace=NAMESPACE["namespace"],
        collection=COLLECTION["collection"],
        embedding_model="clip-vit-b-32",
        metadata='{"caption":"text"}',
    )
    try:
        client.create_document_collection_with_options(request, runtime)
    except Exception as error:
        if getattr(error, "code", None) != "Collection.AlreadyExists":
            raise


def submit(client: Client, runtime: util_models.RuntimeOptions, path: Path, caption: str | None = None) -> str:
    """Uploads a local picture or archive and returns the job that indexes it."""
    with path.open("rb") as file:
        request = models.UploadDocumentAsyncAdvanceRequest(
            **COLLECTION,
            file_name=path.name,
            file_url_object=file,
            metadata={"caption": caption} if caption else None,
        )
        return client.upload_document_async_advance(request, runtime).body.job_id


def wait(client: Client, runtime: util_models.RuntimeOptions, job_id: str) -> None:
    """Polls until everything in the upload can be found."""
    while True:
        request = models.GetUploadDocumentJobRequest(**COLLECTION, job_id=job_id)
        job = client.get_upload_document_job_with_options(request, runtime).body.job
        if job.completed:
            break
        time.sleep(0.2)
    if job.status != "Success":
        raise SystemExit(f"the upload ended as {job.status}: {job.error}")


def show(matches) -> None:
    for match in matches:
        caption = match.metadata.get("caption") or ""
        print(f"{match.score:.3f}  {match.file_name:<28} {caption}\n       {match.file_url}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["load", "archive", "text", "image"])
    parser.add_argument("argument", nargs="?", help="the archive, the text or the picture")
    parser.add_argument("--top", type=int, default=3, help="how many results to show")
    arguments = parser.parse_args()
    if arguments.command != "load" and not arguments.argument:
        parser.error(f"{arguments.command} needs an argument")

    client = create_client()
    runtime = util_models.RuntimeOptions()
    if arguments.command == "load":
        prepare(client, runtime)
        with (PHOTOS / "labels.csv").open(encoding="utf-8", newline="") as table:
            captions = {row["file"]: row["caption"] for row in csv.DictReader(table)}
        jobs = [submit(client, runtime, PHOTOS / name, caption) for name, caption in captions.items()]
        for job_id in jobs:
            wait(client, runtime, job_id)
        print(f"{len(jobs)} photos are ready to be searched")
    elif arguments.command == "archive":
        prepare(client, runtime)
        wait(client, runtime, submit(client, runtime, Path(arguments.argument)))
        print(f"the photos of {arguments.argument} are ready to be searched")
    elif arguments.command == "text":
        request = models.QueryContentRequest(**COLLECTION, content=arguments.argument, top_k=arguments.top)
        show(client.query_content_with_options(request, runtime).body.matches.match_list)
    else:
        path = Path(arguments.argument)
        with path.open("rb") as file:
            request = models.QueryContentAdvanceRequest(
                **COLLECTION, file_url_object=file, file_name=path.name, top_k=arguments.top
            )
            show(client.query_content_advance(request, runtime).body.matches.match_list)


if __name__ == "__main__":
    main()
