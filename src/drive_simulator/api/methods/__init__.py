"""The methods of the API, a module for each resource. `HANDLERS` of each maps method ids to functions."""
