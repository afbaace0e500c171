XA START 'x1';
INSERT INTO ${db}.t VALUES (2,'b',2);
XA END 'x1';
XA PREPARE 'x1';
-- @conn B
INSERT INTO ${db}.t VALUES (3,'c',3);
XA COMMIT 'x1';
XA START 'x2','br',7;
INSERT INTO ${db}.t VALUES (4,'d',4);
XA END 'x2','br',7;
XA PREPARE 'x2','br',7;
XA ROLLBACK 'x2','br',7;
XA START 'x3';
INSERT INTO ${db}.t VALUES (5,'e',5);
XA END 'x3';
XA COMMIT 'x3' ONE PHASE;
INSERT INTO ${db}.t VALUES (6,'f',6);
