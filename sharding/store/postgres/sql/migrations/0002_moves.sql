-- The shards under way, as the coordinator said last: a JSON object of numbers by type.
ALTER TABLE aecorpy_cluster_term ADD COLUMN moves text NOT NULL DEFAULT '{}';
