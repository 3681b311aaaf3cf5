"""The service: blocks and changes over HTTP, and the editors' desk."""
