"""hallway: devices of one site find each other and talk."""
