// Package restquery answers, over REST, the queries of objects that query jobs do not know, such as Attachment, in the form in which query jobs
// answer: pages of CSV that are counted and can be read again.
//
// A Pager asks for a query job first, since the org alone knows which objects those know, and only when it refuses the object it asks over REST.
// There the first page of the answer tells how many records there are, and each page leads to the next:
//
//	CreateQuery ─▶ refused ─▶ GET /query?q=… ─▶ first page ─▶ GET /query/01g…-2000 ─▶ … ─▶ last page
//
// There is no job, so the name of one says all that another process needs to go on: the query, and how many records it has found. A locator
// says where the page is and how many records lie before it, so that the last page knows whether all have come. When they have not, since
// records were deleted meanwhile, or when the org has forgotten the answer, the error is a salesforce.ErrGone and the query has to be asked
// anew.
//
// Sources: REST API Developer Guide (Query, QueryAll, Query Options Header).
package restquery
