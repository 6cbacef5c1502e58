"""hallway discovery over a shared folder: a template for plugins."""
