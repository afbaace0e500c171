CREATE SEQUENCE ${db}.s1;
INSERT INTO ${db}.t VALUES (2,NEXTVAL(${db}.s1)),(3,NEXTVAL(${db}.before));
ALTER SEQUENCE ${db}.s1 RESTART 50;
INSERT INTO ${db}.t VALUES (4,NEXTVAL(${db}.s1));
RENAME TABLE ${db}.s1 TO ${db}.s2;
INSERT INTO ${db}.t VALUES (5,NEXTVAL(${db}.s2));
DROP SEQUENCE ${db}.s2;
CREATE TABLE ${db}.s2 (id int primary key, n int);
INSERT INTO ${db}.s2 VALUES (6,6);
