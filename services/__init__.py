"""The daemons that archive the Bluesky firehose, and the little they share."""
