CREATE TABLE ${db}.t (id int primary key, a varchar(9), b varchar(9));
INSERT INTO ${db}.t VALUES (1,'a1','b1');
CREATE TABLE ${db}.u (id int primary key, b varchar(9), a varchar(9));
RENAME TABLE ${db}.t TO ${db}.x, ${db}.u TO ${db}.t, ${db}.x TO ${db}.u;
INSERT INTO ${db}.t (id,a,b) VALUES (2,'a2','b2');
RENAME TABLE ${db}.t TO ${db}.x, ${db}.u TO ${db}.t, ${db}.x TO ${db}.u;
INSERT INTO ${db}.t (id,a,b) VALUES (3,'a3','b3');
RENAME TABLE ${db}.t TO ${db}.x, ${db}.u TO ${db}.t, ${db}.x TO ${db}.u;
INSERT INTO ${db}.t (id,a,b) VALUES (4,'a4','b4');
