CREATE TABLE ${db}.t (id double primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('1.5','x',0);
INSERT INTO ${db}.t VALUES ('2.5','x',1);
INSERT INTO ${db}.t VALUES ('-3.5','x',2);
INSERT INTO ${db}.t VALUES ('1e10','x',3);
INSERT INTO ${db}.t VALUES ('0','x',4);
