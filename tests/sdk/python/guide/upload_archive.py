client = create_client()
with open("<compress_file_path>", "rb") as f:
    # compress_file_path: absolute path to the local archive (.tar, .gz, or .zip)
    request = gpdb_20160503_models.UploadDocumentAsyncAdvanceRequest(
        region_id="<your-instance-region-id>",
        dbinstance_id="<your-instance-id>",
        namespace="<your-namespace-name>",
        namespace_password="<your-namespace-password>",
        collection="<your-collection-name>",
        file_name="<archive-filename-with-extension>", # e.g., images.zip
        file_url_object=f,
        dry_run=False,
        metadata={"batch": "upload-batch-1"},
    )
    runtime = util_models.RuntimeOptions()
    try:
        response = client.upload_document_async_advance(request, runtime)
        print("Job ID:", response.body.job_id)
    except Exception as error:
        print(error)
