"""The truth rig: runs made up from scripts whose truth is known, as the journal and sample files would hold them."""
