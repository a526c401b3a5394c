"""Programs: characters, made by a recipe from generators and stored codes."""
