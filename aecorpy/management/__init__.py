"""Looking at what runs over the cluster, and changing it: all of it by way of the journal's database."""
