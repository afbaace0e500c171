CREATE TABLE ${db}.p (id int primary key);
CREATE TABLE ${db}.t (id int primary key, v varchar(50), n int, foreign key (n) references ${db}.p(id) on delete cascade);
INSERT INTO ${db}.p VALUES (1),(2);
INSERT INTO ${db}.t VALUES (1,'a',1);
