"""What is asked and told beside the messages: by peers over the control bus, by commands of this machine over a local socket."""
