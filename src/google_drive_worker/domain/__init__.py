"""Ground floor: ids, typed values and the ports that the rooms above fill."""
