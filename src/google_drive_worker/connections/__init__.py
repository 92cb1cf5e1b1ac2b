"""Where connections and their credentials come from."""
