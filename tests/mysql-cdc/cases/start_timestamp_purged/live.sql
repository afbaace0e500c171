INSERT INTO ${db}.t VALUES (4,'d');
