"""Object stores (S3, Google Cloud Storage, Azure) as one small protocol, `base.Client`.

Both sides of LDB stand on it: `backends/bucket.py` keeps instances in a bucket, `storage/`
lists and reads the users' data. Nothing here knows of either.
"""
