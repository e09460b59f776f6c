"""Weight readers: headers to tensor listings, one file per format."""
