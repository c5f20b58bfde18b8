package main

// What the plans of testdata/plans must bring about, written down a second time, in SQL.

var chinookParts = []part{
	{"customers", "Customer", "Account", `SELECT 'C-' || CustomerId AS Legacy_Id__c, iif(Company <> '', Company, FirstName || ' ' || LastName) AS Name, Address AS BillingStreet,
		City AS BillingCity, State AS BillingState, PostalCode AS BillingPostalCode, Country AS BillingCountry, Phone, Fax,
		FirstName || ' ' || LastName || ' ' || Email AS Description FROM src.Customer`},
	{"employees", "Employee", "Contact", `SELECT 'E-' || EmployeeId AS Legacy_Id__c, FirstName, LastName, Title, Email, date(BirthDate) AS Birthdate, Phone, Address AS MailingStreet,
		City AS MailingCity, State AS MailingState, PostalCode AS MailingPostalCode, Country AS MailingCountry, 'E-' || ReportsTo AS ReportsToId FROM src.Employee`},
	{"contacts", "Customer", "Contact", `SELECT 'P-' || CustomerId AS Legacy_Id__c, FirstName, LastName, Email, 'C-' || CustomerId AS AccountId, 'E-' || SupportRepId AS ReportsToId
		FROM src.Customer`},
	{"sales", "Invoice", "Opportunity", `SELECT 'I-' || InvoiceId AS Legacy_Id__c, 'Invoice ' || InvoiceId AS Name, 'Closed Won' AS StageName, date(InvoiceDate) AS CloseDate,
		decimal(Total) AS Amount, 'C-' || CustomerId AS AccountId FROM src.Invoice`},
	{"invoices", "Invoice", "Invoice__c", `SELECT 'I-' || InvoiceId AS Legacy_Id__c, date(InvoiceDate) AS Issued__c, decimal(Total) AS Amount__c,
		concat_ws(', ', nullif(BillingAddress, ''), nullif(BillingPostalCode, ''), nullif(BillingCity, ''), nullif(BillingState, ''), nullif(BillingCountry, '')) AS Notes__c,
		'C-' || CustomerId AS Account__c, 'I-' || InvoiceId AS Opportunity__c FROM src.Invoice`},
	{"lines", "InvoiceLine", "Invoice_Line__c", `SELECT 'L-' || InvoiceLineId AS Legacy_Id__c, units(t.Name, 120) AS Product__c, decimal(Quantity) AS Quantity__c,
		decimal(l.UnitPrice) AS Price__c, 'I-' || InvoiceId AS Invoice__c FROM src.InvoiceLine l LEFT JOIN src.Track t USING (TrackId)`},
}

var northwindParts = []part{
	{"customers", "Customers", "Account", `SELECT 'C-' || CustomerID AS Legacy_Id__c, CompanyName AS Name, 'Customer - Direct' AS Type, Address AS BillingStreet, City AS BillingCity,
		Region AS BillingState, PostalCode AS BillingPostalCode, Country AS BillingCountry, Phone, Fax FROM src.Customers`},
	{"suppliers", "Suppliers", "Account", `SELECT 'S-' || SupplierID AS Legacy_Id__c, CompanyName AS Name, 'Other' AS Type, Address AS BillingStreet, City AS BillingCity,
		Region AS BillingState, PostalCode AS BillingPostalCode, Country AS BillingCountry, Phone, Fax, HomePage AS Description FROM src.Suppliers`},
	{"employees", "Employees", "Contact", `SELECT 'E-' || EmployeeID AS Legacy_Id__c, FirstName, LastName, Title, BirthDate AS Birthdate, HomePhone AS Phone, Address AS MailingStreet,
		City AS MailingCity, Region AS MailingState, PostalCode AS MailingPostalCode, Country AS MailingCountry, Notes AS Description, 'E-' || ReportsTo AS ReportsToId
		FROM src.Employees`},
	{"customer_people", "Customers", "Contact", `SELECT 'P-' || CustomerID AS Legacy_Id__c, ` + firstAndLast + `, ContactTitle AS Title, 'C-' || CustomerID AS AccountId FROM src.Customers`},
	{"supplier_people", "Suppliers", "Contact", `SELECT 'Q-' || SupplierID AS Legacy_Id__c, ` + firstAndLast + `, ContactTitle AS Title, 'S-' || SupplierID AS AccountId FROM src.Suppliers`},
	{"orders", "Orders", "Opportunity", `SELECT 'O-' || OrderID AS Legacy_Id__c, 'Order ' || OrderID AS Name, iif(ShippedDate IS NULL, 'Negotiation/Review', 'Closed Won') AS StageName,
		date(OrderDate) AS CloseDate, decimal(round(goods, 2)) AS Amount, 'Employee E-' || EmployeeID AS NextStep, 'C-' || CustomerID AS AccountId FROM src.Orders LEFT JOIN ` + goods + ` USING (OrderID)`},
	{"invoices", "Orders", "Invoice__c", `SELECT 'O-' || OrderID AS Legacy_Id__c, date(OrderDate) AS Issued__c, strftime('%Y-%m-%dT%H:%M:%S.000+0000', RequiredDate) AS Due__c,
		decimal(round(Freight + coalesce(goods, 0), 2)) AS Amount__c, iif(ShippedDate IS NULL, 'false', 'true') AS Paid__c,
		concat_ws(char(10), nullif(ShipName, ''), nullif(ShipAddress, ''), nullif(ShipPostalCode, ''), nullif(ShipCity, ''), nullif(ShipRegion, ''), nullif(ShipCountry, '')) AS Notes__c,
		'C-' || CustomerID AS Account__c, 'O-' || OrderID AS Opportunity__c FROM src.Orders LEFT JOIN ` + goods + ` USING (OrderID)`},
	{"lines", "Order Details", "Invoice_Line__c", `SELECT 'L-' || OrderID || '-' || ProductID AS Legacy_Id__c, ProductName AS Product__c, decimal(Quantity) AS Quantity__c,
		decimal(l.UnitPrice) AS Price__c, 'O-' || OrderID AS Invoice__c FROM src."Order Details" l LEFT JOIN src.Products USING (ProductID)`},
}

// firstAndLast divides a name at its first blank; a single word is a last name.
const firstAndLast = `iif(instr(ContactName, ' ') > 0, substr(ContactName, 1, instr(ContactName, ' ') - 1), NULL) AS FirstName,
		ltrim(substr(ContactName, instr(ContactName, ' ') + 1)) AS LastName`

// goods is what the lines of each order come to.
const goods = `(SELECT OrderID, sum(UnitPrice * Quantity * (1 - Discount)) AS goods FROM src."Order Details" GROUP BY 1)`
