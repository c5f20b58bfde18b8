package datagen

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A country is what is needed to make up addresses, people and companies that look as if they came from there. A word
// in another script carries its Latin spelling after a bar. Company stems are invented words.
type country struct {
	name, dial, postal                                   string // for the postal pattern see appendPattern
	windows1252                                          bool   // all its words can be written in Windows-1252
	cities, streets, stems, trades, forms, first, family []string
}

// words splits a list at commas.
func words(list string) []string { return strings.Split(list, ",") }

var countries = []country{
	{
		name: "Germany", dial: "+49 30", postal: "0####", windows1252: true,
		cities:  words("Dresden,Görlitz,Plauen,Leipzig,Weißenfels,Jüterbog"),
		streets: words("Lindenstraße,Am Mühlgraben,Schillerplatz,Hafenstraße,Färbergasse,Königsufer"),
		stems:   words("Nordquell,Brunnhald,Weißlau,Tannwerk,Möhrstedt,Grünlauf,Elbmoor"),
		trades:  words("Feinmechanik,Bäckerei,Spedition,Molkerei,Großhandel,Gewürze"),
		forms:   words("GmbH,AG,KG,GmbH & Co. KG,e. G."),
		first:   words("Jürgen,Käthe,Annegret,Sönke,Mareike,Tobias,Ulrike,Björn"),
		family:  words("Groß,Müßig,Lüdersen,von der Aue,Weißhaupt,Krämer-Holt,Ahlböck"),
	},
	{
		name: "France", dial: "+33 4", postal: "69###", windows1252: true,
		cities:  words("Lyon,Bron,Écully,Saint-Priest,L'Arbresle,Vénissieux"),
		streets: words("rue de l'Église,quai des Célestins,allée du Château,place d'Armes,chemin Vert"),
		stems:   words("Valdoreau,Brévannec,Œillade,Montclair-sur-Orge,Fréjolle,Lancelune"),
		trades:  words("Fromagerie,Transports,Épices,Pesage,Conserves,Imprimerie"),
		forms:   words("SARL,S.A.S.,SA,et Fils,SCOP"),
		first:   words("Anaïs,Benoît,Chloé,Gaëlle,Hélène,Jérôme,Loïc,Noël"),
		family:  words("d'Aubrac,Lefèvre-Morin,Béranger,L'Hermitte,Châtelain,Garçonnet,Dupré"),
	},
	{
		name: "Spain", dial: "+34 95", postal: "41###", windows1252: true,
		cities:  words("Sevilla,Dos Hermanas,Écija,Mairena del Aljarafe,Morón"),
		streets: words("calle Ñuño,avenida de la Constitución,plaza del Olivo,calle Águilas,paseo Colón"),
		stems:   words("Almazuela,Ribañez,Cordillán,Peñascal,Solmira,Aceitunil"),
		trades:  words("Aceites,Conservas,Logística,Panadería,Maquinaria,Frutas"),
		forms:   words("S.L.,S.A.,e Hijos,Coop."),
		first:   words("Íñigo,Begoña,Ángel,Lucía,Óscar,María José,Concepción,Raúl"),
		family:  words("Muñoz Ibáñez,Peña,Gutiérrez del Río,Núñez,Ordóñez,Vílchez"),
	},
	{
		name: "United Kingdom", dial: "+44 113", postal: "LS# #@@", windows1252: true,
		cities:  words("Leeds,Otley,Morley,Pudsey,Wetherby"),
		streets: words("St John's Road,Mill Lane,The Headrow,Foundry Yard,King's Croft"),
		stems:   words("Harrowmere,Wexcombe,Thistlegate,Kestrelford,Oakhampden,Bramblewick"),
		trades:  words("Foods,Haulage,Packaging,Dairies,Instruments,Spices"),
		forms:   words("Ltd,PLC,LLP,& Sons,Group"),
		first:   words("Aoife,Gareth,Imogen,Siân,Rhys,Priya,Callum,Zoë"),
		family:  words("O'Hanlon,McAllister-Reid,Featherstone,Null,Okonkwo,St Clair,D'Souza"),
	},
	{
		name: "Sweden", dial: "+46 46", postal: "22# ##", windows1252: true,
		cities:  words("Lund,Höör,Åkarp,Södra Sandby,Löddeköpinge"),
		streets: words("Östra Vallgatan,Skolgränd,Ångbåtsvägen,Klostergatan,Björkstigen"),
		stems:   words("Norrskär,Åldalen,Frostmåla,Hjortviken,Ljungsöder"),
		trades:  words("Livsmedel,Åkeri,Bryggeri,Vågteknik,Förpackning"),
		forms:   words("AB,HB,& Söner,Ek. för."),
		first:   words("Åsa,Göran,Märta,Örjan,Linnéa,Håkan,Elin"),
		family:  words("Sjöstrand,Ödlund,Ekelöf,Åkerblad,Lindgren Högberg,Nyström"),
	},
	{
		name: "Brazil", dial: "+55 41", postal: "80###-###", windows1252: true,
		cities:  words("Curitiba,Araucária,São José dos Pinhais,Colombo,Piraquara"),
		streets: words("Rua das Araucárias,Avenida São João,Travessa da Conceição,Rua Vovó Inês"),
		stems:   words("Jacarandil,Pinhãozal,Itapuranga Sul,Maracajaçu,Ipêverde"),
		trades:  words("Alimentos,Transportes,Café,Laticínios,Balanças"),
		forms:   words("Ltda.,S/A,e Irmãos,EIRELI"),
		first:   words("João,Conceição,Inês,Tomé,Antônia,Caetano,Luíza"),
		family:  words("Gonçalves,Araújo da Conceição,Magalhães,de Sá,Brandão Leitão,Simões"),
	},
	{
		name: "Poland", dial: "+48 42", postal: "9#-###",
		cities:  words("Łódź,Zgierz,Pabianice,Żychlin,Łęczyca"),
		streets: words("ulica Świętojańska,aleja Kościuszki,ulica Źródłowa,plac Wolności"),
		stems:   words("Bursztynek,Żurawlin,Łąkopol,Świerkowa,Jęczmiń"),
		trades:  words("Mleczarnia,Młyn,Spedycja,Przyprawy,Piekarnia"),
		forms:   words("sp. z o.o.,S.A.,sp. j."),
		first:   words("Małgorzata,Łukasz,Grażyna,Józef,Zdzisława,Krzysztof"),
		family:  words("Brzęczyk,Żółciński,Wiśniak-Łoś,Ślązak,Gąsior,Dąbrówka"),
	},
	{
		name: "Czechia", dial: "+420 54", postal: "6## ##",
		cities:  words("Brno,Kuřim,Žďár,Ždánice,Šlapanice"),
		streets: words("Křížová,Na Příkopě,Údolní,Jánská,Říční"),
		stems:   words("Třešňák,Jedlovník,Řepičar,Žitavan,Chmelíř"),
		trades:  words("pivovar,mlékárna,doprava,strojírna,koření"),
		forms:   words("s.r.o.,a.s.,v.o.s."),
		first:   words("Jiří,Božena,Ondřej,Žofie,Štěpán,Růžena"),
		family:  words("Dvořáček,Příhodová,Šťastný,Řezníčková,Čáp,Žížala"),
	},
	{
		name: "Türkiye", dial: "+90 232", postal: "35###",
		cities:  words("İzmir,Çeşme,Bornova,Ödemiş,Karşıyaka"),
		streets: words("İnciraltı Caddesi,Çınarlı Sokak,Güzelyalı Bulvarı,Kıbrıs Şehitleri"),
		stems:   words("Yıldızova,Çamgöl,Işıkpınar,Güneşli,Ağaçören"),
		trades:  words("Gıda,Zeytin,Nakliyat,Baharat,Tartı"),
		forms:   words("A.Ş.,Ltd. Şti.,ve Oğulları"),
		first:   words("Ayşe,İbrahim,Gökçe,Tuğba,Çağlar,Şükran"),
		family:  words("Öztürkçe,Yıldırımlar,Şahinoğlu,Gülbağ,Çetinkol"),
	},
	{
		name: "Japan", dial: "+81 53", postal: "43#-####",
		cities:  words("浜松市,磐田市,袋井市,掛川市"),
		streets: words("中央区松風,見付港町,高尾一丁目,城下二丁目"),
		stems:   words("青葉丘|aobaoka,風見野|kazamino,白鷺浜|shirasagihama,緑陰|ryokuin"),
		trades:  words("食品,製茶,運輸,計量器"),
		forms:   words("株式会社,合同会社,商店"),
		first:   words("美咲|misaki,健太|kenta,さくら|sakura,翔|sho,陽子|yoko"),
		family:  words("青柳|aoyagi,水野谷|mizunoya,小笠|ogasa,鷲津|washizu"),
	},
	{
		name: "Greece", dial: "+30 241", postal: "41# ##",
		cities:  words("Λάρισα,Τύρναβος,Ελασσόνα,Αγιά"),
		streets: words("Οδός Ελιάς,Λεωφόρος Κήπων,Οδός Αγίου Νικολάου"),
		stems:   words("Ελαιόκαμπος|elaiokampos,Ηλιόφως|iliofos,Θερμαίος|thermaios"),
		trades:  words("Τρόφιμα,Μεταφορές,Τυροκομείο"),
		forms:   words("Α.Ε.,Ε.Π.Ε.,Ο.Ε."),
		first:   words("Ελένη|eleni,Γιώργος|giorgos,Δέσποινα|despina,Σπύρος|spyros"),
		family:  words("Καραλής|karalis,Μυλωνάκου|mylonakou,Ψαράς|psaras"),
	},
}

var (
	industries = words("Agriculture,Banking,Biotechnology,Chemicals,Construction,Consulting,Electronics,Energy,Engineering,Food & Beverage," +
		"Healthcare,Hospitality,Machinery,Manufacturing,Retail,Shipping,Technology,Transportation,Utilities")
	domains = words(".example.com,.example.org,.example.net")
)

// spell separates a word of a country from its Latin spelling, which is made of a–z and digits alone.
func spell(word string) (name, latin string) {
	name, latin, ok := strings.Cut(word, "|")
	if !ok {
		latin = name
	}
	fold := strings.NewReplacer("ß", "ss", "ø", "o", "æ", "ae", "œ", "oe", "ł", "l", "ı", "i", "đ", "d")
	var b strings.Builder
	for _, r := range norm.NFD.String(fold.Replace(strings.ToLower(latin))) {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			b.WriteRune(r)
		}
	}
	return name, b.String()
}
