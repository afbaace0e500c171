CREATE TABLE ${db}.t (id int primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES (1,'a',1);
ALTER TABLE ${db}.t MODIFY COLUMN n int AFTER id;
INSERT INTO ${db}.t (id,v,n) VALUES (2,'b',2);
