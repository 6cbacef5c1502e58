"""What happens is told in one place: to readers, to listeners, to the observers of plugins, in the order in which it happened."""
