"""What is kept: page objects in S3, items and runs in DynamoDB."""
