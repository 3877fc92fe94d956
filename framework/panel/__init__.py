"""What turns pages into light: player, frames, sinks."""
