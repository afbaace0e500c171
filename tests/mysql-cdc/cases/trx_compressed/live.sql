SET SESSION binlog_transaction_compression=ON;
BEGIN;
INSERT INTO ${db}.t VALUES (2,repeat('b',40),2);
UPDATE ${db}.t SET n=5 WHERE id=1;
COMMIT;
SET SESSION binlog_transaction_compression=OFF;
INSERT INTO ${db}.t VALUES (3,'c',3);
