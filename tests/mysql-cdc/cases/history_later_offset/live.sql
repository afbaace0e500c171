INSERT INTO ${db}.t VALUES (3,'c',3,3);
