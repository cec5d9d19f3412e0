client = create_client()
request = gpdb_20160503_models.UploadDocumentAsyncRequest(
    region_id="<your-instance-region-id>",
    dbinstance_id="<your-instance-id>",
    namespace="<your-namespace-name>",
    namespace_password="<your-namespace-password>",
    collection="<your-collection-name>",
    file_name="<filename-with-extension>", # e.g., photo.jpg
    file_url="<image_file_url>", # publicly accessible URL
    dry_run=False,
    metadata={"caption": "sample image", "category": "nature"}, # dict format
)
runtime = util_models.RuntimeOptions()
try:
    response = client.upload_document_async_with_options(request, runtime)
    print("Job ID:", response.body.job_id)
except Exception as error:
    print(error)
