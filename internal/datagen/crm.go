package datagen

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// CRM returns the six files of a small CRM, as an old program of a maker of scales and label printers exported them. They are
// not all of one kind: each table has the delimiter, encoding and habits of its own export. Every row is valid, and every
// reference leads to a row of another file.
func CRM(seed uint64) ([]File, error) {
	accounts, contacts, opportunities := newAccountTable(), newContactTable(), newOpportunityTable()
	cases, tasks, invoices := newCaseTable(), newTaskTable(), newInvoiceTable()

	d := newDraw(seed, 1)
	customers := make([]customer, 420)
	for i := range customers {
		customers[i] = newCustomer(d, i)
		accounts.add(accountCells(d, customers[i])...)
	}
	d = newDraw(seed, 2)
	people := make([]person, 960)
	for i := range people {
		people[i] = newPerson(d, i, pick(d, customers))
		contacts.add(contactCells(d, people[i])...)
	}
	d = newDraw(seed, 3)
	deals := make([]deal, 540)
	for i := range deals {
		deals[i] = newDeal(d, i, pick(d, customers))
		opportunities.add(opportunityCells(d, deals[i])...)
	}
	d = newDraw(seed, 4)
	for i := range 610 {
		cases.add(caseCells(d, i, pick(d, people))...)
	}
	d = newDraw(seed, 5)
	for i := range 700 {
		tasks.add(taskCells(d, i, pick(d, people), pick(d, deals))...)
	}
	d = newDraw(seed, 6)
	for i := range 830 {
		deal := pick(d, deals)
		invoices.add(invoiceCells(d, i, deal.customer, deal.key)...)
	}

	var files []File
	for _, t := range []*table{accounts, contacts, opportunities, cases, tasks, invoices} {
		f, _, err := t.file()
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// The tables and their habits. Opportunities has quotes around everything; the others only where they are needed.

func newAccountTable() *table {
	return &table{name: "accounts.csv", format: format{delimiter: ';', lineEnd: "\n", windows1252: true},
		header: words("customer_no,company,phone,fax,web,street,zip,city,country,branch,rating,tier,turnover,staff,active,score,notes,rep")}
}

func newContactTable() *table {
	return &table{name: "contacts.csv", format: format{delimiter: '\t', lineEnd: "\r\n", bom: true},
		header: words("contact_no,customer_no,first,last,job,dept,e_mail,tel,mobile,born,street,zip,city,country,no_calls,no_mail,source,remarks")}
}

func newOpportunityTable() *table {
	return &table{name: "opportunities.csv", format: format{delimiter: ',', lineEnd: "\n", always: true},
		header: words("deal_no,customer_no,title,stage,close_on,value,chance,kind,next_step,remarks")}
}

func newCaseTable() *table {
	return &table{name: "cases.csv", format: commas,
		header: words("ticket,customer_no,contact_no,subject,state,channel,prio,sender,body")}
}

func newTaskTable() *table {
	return &table{name: "tasks.csv", format: commas,
		header: words("activity_no,contact_no,deal_no,subject,day,state,prio,text")}
}

func newInvoiceTable() *table {
	return &table{name: "invoices.csv", format: commas,
		header: words("invoice_no,customer_no,deal_no,amount,issued,due,paid,state,notes")}
}

// A customer is what the other tables need to know of a row of accounts.
type customer struct {
	key, company, host string
	country            country
}

func newCustomer(d draw, i int) customer {
	home := pick(d, countries)
	for !home.windows1252 { // as all its words can be written in the file of accounts
		home = pick(d, countries)
	}
	name, host := spell(pick(d, home.stems))
	company := name + " " + pick(d, home.trades) + " " + pick(d, home.forms)
	switch d.below(12) {
	case 0:
		company = pick(d, home.family) + " & " + pick(d, home.family) + "; " + pick(d, home.trades)
	case 1:
		company = pick(d, home.trades) + ` "` + name + `" ` + pick(d, home.forms)
	case 2:
		company += ", " + pick(d, home.cities)
	}
	return customer{fmt.Sprintf("K-%05d", 10007+3*i), company, host + pick(d, domains), home}
}

func accountCells(d draw, c customer) []string {
	home := c.country
	street := fmt.Sprintf("%s %d", pick(d, home.streets), d.between(1, 140))
	if d.percent(6) {
		street += "\n2nd floor, left"
	}
	return []string{
		c.key, c.company, phone(d, home), d.maybe(40, phone(d, home)), d.maybe(80, "https://www."+c.host+"/"),
		street, postal(d, home), pick(d, home.cities), home.name, pick(d, industries),
		pick(d, words("Hot,Warm,Cold,")), pick(d, words("Gold,Silver,Bronze,Bronze,")),
		string(appendRevenue(nil, d)), d.maybe(85, strconv.Itoa(d.between(1, 4000))), pick(d, words("true,true,true,false")),
		d.maybe(70, cents(d.between(0, 9_999_99))), d.maybe(75, pick(d, descriptions)), pick(d, words("mh,jr,öz,tk,")),
	}
}

// A person is what the other tables need to know of a row of contacts.
type person struct {
	key, first, last, mail string
	customer               customer
	country                country
}

func newPerson(d draw, i int, c customer) person {
	home := c.country
	if d.percent(30) {
		home = pick(d, countries)
	}
	first, firstLatin := spell(pick(d, home.first))
	last, lastLatin := spell(pick(d, home.family))
	return person{fmt.Sprintf("P-%06d", 204+7*i), first, last, firstLatin + "." + lastLatin + "@" + c.host, c, home}
}

func contactCells(d draw, p person) []string {
	home := p.country
	remarks := d.maybe(40, pick(d, contactRemarks))
	return []string{
		p.key, p.customer.key, d.maybe(96, p.first), p.last, pick(d, jobTitles), d.maybe(60, pick(d, departments)),
		d.maybe(90, p.mail), phone(d, home), d.maybe(50, phone(d, home)), d.maybe(35, day(d, 1949, 2003)),
		fmt.Sprintf("%s %d", pick(d, home.streets), d.between(1, 99)), postal(d, home), pick(d, home.cities), home.name,
		pick(d, words("0,0,0,1")), pick(d, words("0,0,1")), pick(d, words("Web,Phone Inquiry,Partner Referral,Trade Show,")), remarks,
	}
}

// A deal is what the other tables need to know of a row of opportunities.
type deal struct {
	key      string
	customer customer
}

func newDeal(d draw, i int, c customer) deal {
	return deal{fmt.Sprintf("D-%d-%04d", d.between(2019, 2025), 1001+i), c}
}

func opportunityCells(d draw, o deal) []string {
	stage := pick(d, stages)
	return []string{
		o.key, o.customer.key, fill(d, pick(d, dealTitles), o.customer.country), stage.name, day(d, 2019, 2027),
		pick(d, []string{cents(d.between(90_00, 250_000_00)), strconv.Itoa(d.between(1, 900) * 1000), strconv.Itoa(d.between(1000, 40_000) * 10_000)}),
		stage.chance, pick(d, words("New Customer,Existing Customer - Upgrade,Existing Customer - Replacement,")),
		d.maybe(50, pick(d, nextSteps)), d.maybe(40, fill(d, pick(d, dealRemarks), o.customer.country)),
	}
}

func caseCells(d draw, i int, p person) []string {
	ticket := fmt.Sprintf("T-%d", 58_213+11*i)
	body := fill(d, pick(d, caseBodies), p.country) + "\n\n" + strings.TrimSpace(p.first+" "+p.last)
	customer, contact, sender := p.customer.key, p.key, p.mail
	if d.percent(7) { // nobody found out who it was
		customer, contact = "", ""
	}
	return []string{
		ticket, customer, contact, fill(d, pick(d, caseSubjects), p.country), pick(d, words("New,Working,Escalated,Closed,Closed,Closed")),
		pick(d, words("Email,Email,Phone,Web")), pick(d, words("High,Medium,Medium,Low")), sender, body,
	}
}

func taskCells(d draw, i int, p person, o deal) []string {
	contact, about := p.key, o.key
	switch d.below(5) {
	case 0:
		contact = ""
	case 1, 2:
		about = ""
	}
	return []string{
		fmt.Sprintf("A-%06d", 31_000+i), contact, about, fill(d, pick(d, taskSubjects), p.country), d.maybe(92, day(d, 2021, 2027)),
		pick(d, words("Not Started,In Progress,Completed,Completed,Deferred")), pick(d, words("High,Normal,Normal,Low")),
		d.maybe(30, pick(d, contactRemarks)),
	}
}

func invoiceCells(d draw, i int, c customer, deal string) []string {
	issued := time.Date(2023, time.January, 2+i, d.between(7, 18), d.below(60), 0, 0, time.UTC)
	zone := pick(d, []*time.Location{time.UTC, time.FixedZone("", 3600), time.FixedZone("", -3*3600), time.FixedZone("", 5*3600+1800)})
	amount := cents(d.between(12_00, 90_000_00))
	switch d.below(20) {
	case 0: // a credit note
		amount = cents(-d.between(5_00, 800_00))
	case 1:
		amount = "0.00"
	case 2, 3, 4: // in a currency with many noughts
		amount = strconv.Itoa(d.between(1000, 9000) * 10_000)
	}
	state, paid := pick(d, words("Draft,Sent,Paid,Paid,Paid,Void")), "0"
	if state == "Paid" {
		paid = "1"
	}
	return []string{
		fmt.Sprintf("R-%d-%05d", issued.Year(), 17+i), c.key, d.maybe(70, deal),
		amount, issued.Format(time.DateOnly), d.maybe(90, issued.AddDate(0, 0, 30).In(zone).Format("2006-01-02T15:04:05Z07:00")),
		paid, state, d.maybe(35, pick(d, invoiceNotes)),
	}
}
