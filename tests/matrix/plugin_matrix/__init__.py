"""Every discovery with every signaling with every channel: which of them link two devices."""
