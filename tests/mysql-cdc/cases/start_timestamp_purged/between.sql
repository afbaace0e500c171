INSERT INTO ${db}.t VALUES (3,'c');
