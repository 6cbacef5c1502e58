"""hallway signaling through a peer that both devices are linked to already."""
