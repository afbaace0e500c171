ALTER TABLE ${db}.t MODIFY b varchar(9) /*M!100100 AFTER id */;
INSERT INTO ${db}.t (id,a,b) VALUES (2,'a2','b2');
ALTER TABLE ${db}.t /*M! ADD COLUMN c int FIRST, */ ADD COLUMN d int FIRST;
INSERT INTO ${db}.t (id,a,b) VALUES (3,'a3','b3');
ALTER TABLE ${db}.t MODIFY b varchar(9) /*!50000 AFTER id */ /*!99999 FIRST */;
INSERT INTO ${db}.t (id,a,b) VALUES (4,'a4','b4');
