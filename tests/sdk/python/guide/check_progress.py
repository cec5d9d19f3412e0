client = create_client()
request = gpdb_20160503_models.GetUploadDocumentJobRequest(
    region_id="<your-instance-region-id>",
    dbinstance_id="<your-instance-id>",
    namespace="<your-namespace-name>",
    namespace_password="<your-namespace-password>",
    collection="<your-collection-name>",
    job_id="<job_id>", # job_id returned by UploadDocumentAsync
)
runtime = util_models.RuntimeOptions()
try:
    response = client.get_upload_document_job_with_options(request, runtime)
    print("Status:", response.body.job.status)
except Exception as error:
    print(error)
