SET SESSION binlog_format='STATEMENT';
INSERT INTO ${db}.o VALUES (2,2);
UPDATE ${db}.o JOIN ${db}.t ON o.id=t.id SET t.n=7, o.n=8;
