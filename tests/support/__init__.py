"""What tests share: clips, servers, models that load in no time."""
