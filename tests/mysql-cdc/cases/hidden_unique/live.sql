INSERT INTO ${db}.t VALUES (2,'y',20,'q');
UPDATE ${db}.t SET n=21 WHERE id=2;
ALTER TABLE ${db}.t ADD COLUMN z int, MODIFY w text UNIQUE;
INSERT INTO ${db}.t VALUES (3,'z',30,'r',7);
CREATE TABLE ${db}.other (id int);
ALTER TABLE ${db}.t DROP COLUMN z, ADD CONSTRAINT c UNIQUE (v, w);
INSERT INTO ${db}.t VALUES (4,'zz',40,'s');
DELETE FROM ${db}.t WHERE id=1;
