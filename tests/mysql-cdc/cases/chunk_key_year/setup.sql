CREATE TABLE ${db}.t (id year primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('1999','x',0);
INSERT INTO ${db}.t VALUES ('2000','x',1);
INSERT INTO ${db}.t VALUES ('2001','x',2);
INSERT INTO ${db}.t VALUES ('2020','x',3);
INSERT INTO ${db}.t VALUES ('1901','x',4);
