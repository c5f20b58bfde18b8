package datagen

// descriptions say a line or two about a customer. About one in twenty needs quotes in a CSV file.
var descriptions = []string{
	"Buys twice a year; wants the quote by post",
	"Three plants, one central stock",
	"Moved to the new service contract in spring",
	"Keeps its own spare parts and calls only for calibration",
	"Orders rolls of labels every six weeks",
	"Old customer of the Leeds branch",
	"Asked for delivery before eight in the morning",
	"Weighs fish and needs everything stainless",
	"Changed hands in May; check the bank details before the next delivery",
	"Pays late but always pays",
	"Works in two shifts and can be reached until ten at night",
	"Looking for a scale that prints in Greek and in Polish",
	"Second line planned for next year",
	"Reference customer; visits are welcome",
	"Prefers to rent",
	"Wants one invoice a month for all sites",
	"Met at the trade fair; call back in autumn",
	"Has a frame contract until the end of the year",
	"Needs the certificate of calibration with each delivery",
	"Delivery only over the yard at the back",
	"No visits on Fridays",
	"Uses machines of two other makers as well",
	"Großkunde mit eigener Werkstatt",
	"Client fidèle depuis l'ouverture de l'atelier",
	"Pide siempre la misma configuración",
	"Runs the older model and is content with it",
	"The buyer is new and the engineer is not",
	"Will close the second site soon",
	"Ask for the ramp before sending a lorry",
	"Checks every invoice line by line",
	"Stock is counted in the first week of July",
	"Wants training for the night shift",
	"Sends its orders by fax and means it",
	"Two delivery addresses and one for invoices",
	"Asks for the price per thousand labels",
	"Started as a bakery and is now a wholesaler",
	"Belongs to a group that buys centrally",
	"Spare parts go by courier at their cost",
	"Rents, does not buy",
	"Known in town as \"the old mill\"\nRing at the gate",
}

// What the six tables talk about. In braces: see fill. Breaks inside quotes are LF, as a spreadsheet writes them; a few are
// CRLF, as they come out of a form on a web page.

var products = []string{
	"bench scale", "floor scale 1.5 t", "crane scale", "counting scale", "label printer LP-2", "checkweigher", `10" indicator`,
	"hopper scale", "till roll unwinder", "price label software", "15 kg test weight", "label printer \"mini\"",
}

var jobTitles = words("Buyer,Head of Purchasing,Plant Manager,Quality Engineer,Workshop,Managing Director,Accounts Payable,Stock Keeper,IT,")

var departments = words("Purchasing,Production,Quality,Accounts,Dispatch,Küche,R & D")

var contactRemarks = []string{
	"Speaks French and a little German",
	"Call before ten, never on Fridays",
	"Says \"send me the data sheet first\"",
	"Former contact: left in spring\r\nNew one not named yet",
	"On leave until September",
	"Deputy: ask the switchboard",
	"Wants e-mail only.\nNo calls, please.",
	"Signs for orders up to 5,000",
	"Met at the fair in hall 4, stand B\t12",
	"Pronounced as it is written",
}

// Stages of an opportunity, with the chance that goes with them.
var stages = []struct{ name, chance string }{
	{"Prospecting", "10"}, {"Qualification", "10"}, {"Needs Analysis", "20"}, {"Value Proposition", "50"}, {"Proposal/Price Quote", "75"},
	{"Negotiation/Review", "90"}, {"Closed Won", "100"}, {"Closed Won", "100"}, {"Closed Lost", "0"},
}

var dealTitles = []string{
	"{n} × {product} for {city}", "Replacement of the {product}, {city}", "Frame contract {product}", "Service contract, {n} months",
	"Trial of {n} pieces: {product}", "For {person}'s new line: {product}", "Calibration of {n} scales", "Move of the {product} to {city}",
}

var nextSteps = []string{
	"Send the quote", "Call back, then decide", "Wait for the drawing", "Demo at the customer's, bring test weights", "None",
}

var dealRemarks = []string{
	"Competes with a used {product} from {city}",
	"Discount of 4 % agreed with {person}; not to be repeated",
	"They asked:\n- delivery in {n} weeks\n- training on site\n- one contact person",
	"The drawing says \"left\", the photo shows right",
	"Split delivery, {n} first",
}

var caseSubjects = []string{
	"Does not start: {product}", "Re: Re: {product}, serial no. {serial}", "Wrong label after the update", "Certificate for {serial} missing",
	"Drift of {n} g on the {product}", "Invoice shows the old address", "\"Overload\" although nothing is on it", "Please call {person}",
}

var caseBodies = []string{
	"Hello,\n\nthe {product} (serial no. {serial}) shows E-{n} since Monday, also after a restart. What can we do?",
	"Dear all,\nwe moved to {city}. Please change it in your books; the last {n} letters went to the old address.",
	"Display is dark, the printer still works.\r\nBought through {person}.",
	"The label prints \"0,00\" instead of the price; the day before it was right.",
	"Weights differ by {n} g between two scales of one kind: {product}. Both were calibrated in {city}.",
	"Sehr geehrte Damen und Herren,\ndas Prüfzeugnis für {serial} fehlt noch.",
	"Bonjour,\nl'étiqueteuse s'arrête après {n} étiquettes. Merci de rappeler {person}.",
}

var taskSubjects = []string{
	"Call {person}", "Send certificate {serial}", "Visit in {city}", "Order test weights, {n} pieces", "Ask about the {product}", "Write the offer",
}

var invoiceNotes = []string{
	"Paid in two parts", "Credit note for the return of one scale", "Reminder sent; no answer", "Reverse charge, see § 13b",
	"To the attention of accounts payable,\nreference as on the order", "Customer deducts 2 %", "Total includes \"express\", by courier",
}
