"""What every channel of kind ``webrtc`` needs, whatever library carries it: descriptions, candidates, servers, sizes. Pure.

A channel plugin reads a peer's SDP here and nowhere else, so that two plugins of the kind cannot disagree about what a peer may say.
"""
