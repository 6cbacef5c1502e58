"""What every channel of kind ``webrtc`` needs, whatever library carries it.

Pure: descriptions, candidates, servers, sizes. On asyncio: the life of a channel, and who has a message or sends one next (intake, outlet).

A channel plugin reads a peer's SDP here and nowhere else, so that two plugins of the kind cannot disagree about what a peer may say.
"""
