UPDATE ${db}.t SET v='y' WHERE n=0;
UPDATE ${db}.t SET v='y' WHERE n=1;
UPDATE ${db}.t SET v='y' WHERE n=2;
UPDATE ${db}.t SET v='y' WHERE n=3;
UPDATE ${db}.t SET v='y' WHERE n=4;
