//! The real stores: a folder, and S3's protocol over HTTP.
