-- @only mysql
ALTER TABLE ${db}.t RENAME COLUMN a TO b, RENAME COLUMN b TO a;
-- @only mariadb
ALTER TABLE ${db}.t RENAME COLUMN a TO b, RENAME COLUMN b TO a;
INSERT INTO ${db}.t (id,a,b) VALUES (2,'a2','b2');
ALTER TABLE ${db}.t CHANGE a b varchar(9), CHANGE b a varchar(9);
INSERT INTO ${db}.t (id,a,b) VALUES (3,'a3','b3');
ALTER TABLE ${db}.t CHANGE b a varchar(9) FIRST, CHANGE a b varchar(9);
INSERT INTO ${db}.t (id,a,b) VALUES (4,'a4','b4');
ALTER TABLE ${db}.t DROP COLUMN a, RENAME COLUMN b TO a, ADD COLUMN b varchar(9) AFTER a;
INSERT INTO ${db}.t (id,a,b) VALUES (5,'a5','b5');
CREATE TABLE ${db}.u LIKE ${db}.t;
ALTER TABLE ${db}.u MODIFY b varchar(9) FIRST;
RENAME TABLE ${db}.t TO ${db}.v, ${db}.u TO ${db}.t, ${db}.v TO ${db}.u;
INSERT INTO ${db}.t (id,a,b) VALUES (6,'a6','b6');
