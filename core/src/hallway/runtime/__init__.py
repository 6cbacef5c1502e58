"""The asyncio shell: it runs the decisions of `hallway.protocol` over the plugins, and publishes what happens."""
