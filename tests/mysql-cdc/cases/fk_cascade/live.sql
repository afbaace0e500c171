DELETE FROM ${db}.p WHERE id=1;
INSERT INTO ${db}.t VALUES (2,'b',2);
