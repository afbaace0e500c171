SET SESSION binlog_row_image='NOBLOB';
INSERT INTO ${db}.t VALUES (2,'b',2);
UPDATE ${db}.t SET n=3 WHERE id=2;
DELETE FROM ${db}.t WHERE id=1;
