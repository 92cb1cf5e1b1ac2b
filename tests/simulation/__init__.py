"""The pure engine against a model of Drive and of the log, one seed a run."""
