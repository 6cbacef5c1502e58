"""Messages that are stored, sent again, acknowledged and handed on: the decisions of `hallway.protocol` over `hallway.store`."""
